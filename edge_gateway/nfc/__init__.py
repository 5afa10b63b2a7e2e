"""Cards as the gateway sees them: what a tap's text says, and whether a key agrees. Pure; keys are arguments."""
