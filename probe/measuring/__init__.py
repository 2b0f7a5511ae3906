"""One target in one round: its names, its attempts, the self-check before and the follow-up experiments after."""
