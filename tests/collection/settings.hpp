// tests/collection/settings.hpp — how tests open collections: with nothing that happens by itself, or to read.
#pragma once

#include "kith/collection/options.hpp"

namespace kith_test {

/// Segments are sealed and merged by checkpoint() and compact() alone.
inline kith::Options on_call() {
    kith::Options options;
    options.maintenance = kith::Maintenance::on_call;
    return options;
}

inline kith::Options to_read() {
    kith::Options options;
    options.mode = kith::OpenMode::read_only;
    return options;
}

}  // namespace kith_test
