"""Floor 5: pages made from results, by Jinja2 from the templates in these folders."""
