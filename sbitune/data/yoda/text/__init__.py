"""The text of YODA files of either generation: blocks, annotations, rows."""
