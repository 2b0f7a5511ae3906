"""What the collector adds to a batch: the network of its source, and when its measurements started."""
