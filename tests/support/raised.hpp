// tests/support/raised.hpp — the Error an act raises, as a value to look at.
#pragma once

#include "kith/core/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace kith_test {

struct Raised {
    std::optional<kith::Errc> code;  // none when nothing was raised
    std::string text;

    [[nodiscard]] bool says(std::string_view words) const { return text.find(words) != std::string::npos; }
};

template <class Act>
Raised raised(Act&& act) {
    try {
        act();
    } catch (const kith::Error& error) {
        return {error.code(), error.what()};
    }
    return {};
}

}  // namespace kith_test
