// kith/core/byte_sink.hpp — where bytes go that are written piece by piece.
//
// A file is written from what makes its bytes, and nobody holds all of them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace kith::inline v0 {

/// Takes the next bytes of an image that is being written.
using ByteSink = std::function<void(const void* data, std::size_t bytes)>;

namespace detail {

/// All that `produce(sink)` writes.
template <class Produce>
[[nodiscard]] std::string collected(const Produce& produce) {
    std::string bytes;
    produce(
        ByteSink([&](const void* data, std::size_t count) { bytes.append(static_cast<const char*>(data), count); }));
    return bytes;
}

}  // namespace detail
}  // namespace kith::inline v0
