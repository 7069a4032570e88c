"""Tables, conclusions and figures for people, made from the files of results."""
