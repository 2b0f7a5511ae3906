"""The commands of `ringback-collector`, one file each."""
