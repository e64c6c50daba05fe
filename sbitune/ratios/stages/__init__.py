"""The stages of a fit of events: each is a function, each leaves a file, each resumes."""
