"""Tables of events in files: npz, CSV, Parquet, HDF5, ROOT."""
