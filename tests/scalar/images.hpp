// tests/scalar/images.hpp — images of indexes and columns, made of members.
#pragma once

#include "kith/core/byte_sink.hpp"
#include "kith/scalar/column_builder.hpp"
#include "kith/scalar/scalar_index_builder.hpp"
#include "kith/scalar/term.hpp"

#include <string>
#include <vector>

namespace kith_test {

/// How a column is made: held until it is finished, or handed on as it comes.
enum class ColumnMade { held, as_it_comes };

/// What is in a builder of an index, which is used up.
inline std::string image_of(kith::detail::ScalarIndexBuilder& index) {
    return kith::detail::collected([&](const kith::ByteSink& sink) { index.finish(sink); });
}

/// A file of one column.
template <class T>
std::string column_image(const kith::detail::ColumnInfo& info, const std::vector<T>& members,
                         ColumnMade made = ColumnMade::held) {
    namespace detail = kith::detail;
    return detail::collected([&](const kith::ByteSink& sink) {
        detail::ColumnFileWriter file(sink, {info}, static_cast<kith::Slot>(members.size()));
        detail::ColumnBuilder builder =
            made == ColumnMade::held ? detail::ColumnBuilder(info) : detail::ColumnBuilder(info, file);
        detail::MemberTerms terms;
        for (const T& member : members) {
            detail::member_terms(member, terms);
            builder.append(terms);
        }
        builder.finish(file, 0);
        file.finish();
    });
}

}  // namespace kith_test
