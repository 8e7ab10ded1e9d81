"""The inline backend's old place."""
