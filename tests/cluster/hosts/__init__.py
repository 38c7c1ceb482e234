"""Three hosts in network namespaces, each with the product and all its stores: broken in every way, and counted."""
