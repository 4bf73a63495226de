"""From predictions to what may be said about an experiment."""
