"""What several formats have in common: how a provider counts, how a gateway writes, how spans nest."""
