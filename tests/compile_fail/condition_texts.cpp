// tests/compile_fail/condition_texts.cpp — a condition in text is checked against its record by the compiler.
#include "kith/query.hpp"
#include "kith/query/wanted.hpp"

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

using kith::condition;
kith::detail::ConditionCache cache;

#ifdef KITH_BAD
const auto unknown_column = condition<Note, "titel = 'owl'">();
const auto wrong_type = condition<Note, "year >= 'twenty'">();
const auto out_of_range = condition<Note, "year >= 3000000000">();
const auto wrong_comparison = condition<Note, "tags = 'owl'">();
const auto not_well_formed = condition<Note, "year >= 2020 && title = 'owl'">();
const auto placeholder_type = condition<Note, "title >= ?">(20);
const auto placeholder_null = condition<Note, "price = ?">(std::nullopt);
const auto number = kith::detail::wanted<Note>(cache, 2020);
#else
const auto known_column = condition<Note, "title = 'owl'">();
const auto right_type = condition<Note, "year >= 20">();
const auto in_range = condition<Note, "year >= 2000000000">();
const auto right_comparison = condition<Note, "tags contains 'owl'">();
const auto well_formed = condition<Note, "year >= 2020 and title = 'owl'">();
const auto placeholder = condition<Note, "title >= ?">("owl");
const auto null = condition<Note, "price is null">();
const auto text = kith::detail::wanted<Note>(cache, "year = ?", 2020);
#endif
