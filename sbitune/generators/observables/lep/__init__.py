"""Observables of e+e- collisions: LEP and PETRA."""
