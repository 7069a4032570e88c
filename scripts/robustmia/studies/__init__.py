"""Studies: questions that take many target models, changed in one setting or in several."""
