"""What the device can say and send: sockets, its own view of the link, the record of one step."""
