"""What goes to a collector: the key, the spool, the upload, and the targets file that comes back."""
