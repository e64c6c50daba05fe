"""Pieces of pages, the same for every family: page, tables, figures, verdict, live view."""
