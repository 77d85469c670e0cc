// src/collection/engine.cpp — the engine of collections, compiled once for every program.
#include "kith/collection/engine.hpp"
