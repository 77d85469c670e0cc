// tests/compile_fail/text_placeholder_null.cpp — null is asked for by IS NULL, not bound.
#include "kith/query.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct Note {
    std::string id;
    std::string title;
    std::int32_t year = 0;
    std::optional<double> price;
    std::vector<std::string> tags;
};

#ifdef KITH_BAD
const auto condition = kith::condition<Note, "price = ?">(std::nullopt);
#else
const auto condition = kith::condition<Note, "price is null">();
#endif
