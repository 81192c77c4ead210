"""Web scraping: what a crawl asks next and what it reads; others do the asking."""
