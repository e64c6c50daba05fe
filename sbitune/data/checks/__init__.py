"""What is odd about a scan, found before anything is learnt from it."""
