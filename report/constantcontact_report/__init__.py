"""One page with the answers of the models of tap-constantcontact."""
