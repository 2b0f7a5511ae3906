"""Our own servers, which say what of a probe's packets reached them."""
