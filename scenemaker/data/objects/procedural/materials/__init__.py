"""What parts are made of: colours that go together, and patterns drawn by numpy."""
