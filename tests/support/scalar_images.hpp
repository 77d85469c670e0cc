// tests/support/scalar_images.hpp — the files of columns and indexes of a segment, in memory.
#pragma once

#include "kith/collection/scalar_files.hpp"
#include "kith/collection/sealed_scalars.hpp"
#include "kith/core/error.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith_test {

/// Files of rows, made in `memory_bytes`; those of indexes in `refused`, by the places of their fields, are too large for
/// their format.
inline kith::detail::ScalarImages<std::string> scalar_images(std::span<const kith::FieldInfo> fields,
                                                             const std::vector<std::string>& rows,
                                                             std::size_t memory_bytes = std::size_t{1} << 26,
                                                             const std::set<std::size_t>& refused = {}) {
    kith::detail::ScalarImages<std::string> images;
    images.indexes.resize(fields.size());
    const kith::detail::ScalarSource source{fields, static_cast<kith::Slot>(rows.size()),
                                            [&](kith::Slot slot) { return rows[slot]; }};
    const auto write = [&](std::optional<std::size_t> index_of,
                           const std::function<void(const kith::ByteSink&)>& produce) {
        if (!index_of.has_value()) {
            images.columns = kith::detail::collected(produce);
            return;
        }
        if (refused.count(*index_of) > 0) kith::raise(kith::Errc::limit_exceeded, "too large");
        images.indexes[*index_of] = kith::detail::collected(produce);
    };
    kith::detail::write_scalar_files(source, memory_bytes, write);
    return images;
}

inline kith::detail::ScalarImages<std::string_view> views_of(const kith::detail::ScalarImages<std::string>& images) {
    return {{images.indexes.begin(), images.indexes.end()}, images.columns};
}

}  // namespace kith_test
