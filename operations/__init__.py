"""Running the parts as real processes on one machine: mosquitto's settings, the supervisor, the doctor, the status page."""
