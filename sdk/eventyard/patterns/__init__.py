"""What a client does with a transport: one module for each way to use events."""
