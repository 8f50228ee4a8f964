"""Training for floor staff: short lessons on a simulated plant, judged by its ground truth."""
