// kith/collection/assign.hpp — `set<&Article::year>(2024)`: a new value for one member, for Collection::update.
#pragma once

#include "kith/schema/reflect.hpp"

#include <type_traits>
#include <utility>

namespace kith::inline v0 {

/// Assigns its value to `Member` of the record it is called with.
template <auto Member, class Value>
class Assignment {
public:
    explicit Assignment(Value value) : value_(std::move(value)) {}

    template <class Record>
    void operator()(Record& record) const {
        record.*Member = value_;
    }

private:
    Value value_;
};

template <auto Member, class Value>
[[nodiscard]] auto set(Value&& value) {
    using Stored = detail::TypeOf<Member>;
    static_assert(std::is_convertible_v<Value&&, Stored>,
                  "kith: set<&Record::member>(value) needs a value of its type");
    return Assignment<Member, Stored>(static_cast<Stored>(std::forward<Value>(value)));
}

}  // namespace kith::inline v0
