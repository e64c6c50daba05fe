"""Cards: YAML files read into typed records, with the place of every fault."""
