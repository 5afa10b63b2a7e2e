"""The homes of people who live alone: what is remembered of each, what counts as a sign of life, who has to be asked."""
