"""Simulated devices and recorded data as live MQTT traffic; speaks only the contract, knows nothing of the gateway's inside."""
