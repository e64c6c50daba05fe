"""Classifier two-sample tests: can a classifier tell two samples apart?"""
