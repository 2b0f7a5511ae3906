"""Where on the path it dies: packets with small TTLs, without root, beside neutral ones."""
