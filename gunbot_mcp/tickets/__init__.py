"""What a ticket is: its states, its content, what became of it, and the words for that."""
