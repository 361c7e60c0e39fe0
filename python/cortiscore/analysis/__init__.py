"""What `cortiscore analyze` answers: a module a question, and what they share."""
