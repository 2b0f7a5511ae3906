"""The lab: a simulated country that interferes, real servers, the real program, and a scoreboard of its verdicts."""
