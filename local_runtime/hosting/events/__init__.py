"""Pure conversions between what arrives and the events AWS would make of it, one module per trigger."""
