"""Conversations, the splitter of reasoning and answer, and the client of the chat engines."""
