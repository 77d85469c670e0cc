// tests/collection/selection_test.cpp — a check of single slots over a column that turns out to be damaged.
#include "kith/collection/selection.hpp"
#include "support/catch.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>

using kith::Expression;
using kith::Op;
using kith::Slot;
using kith::detail::FilterCheck;
using kith::detail::ScalarField;
using kith::detail::ScalarQuestion;
using kith::detail::SlotCondition;
using kith::detail::SlotEstimate;
using kith::detail::SlotFilter;
using kith::detail::SlotTest;

namespace {

/// A column of which `holds` says what each slot has.
class Column final : public ScalarField {
public:
    using Holds = bool (*)(Slot slot);
    explicit Column(Holds of) : holds_(of) {}

    [[nodiscard]] bool indexed() const noexcept override { return false; }
    [[nodiscard]] bool has_column() const noexcept override { return true; }
    [[nodiscard]] SlotEstimate estimate(const ScalarQuestion&, Slot) const override { return {}; }
    void answer(const ScalarQuestion&, Slot, std::span<std::uint64_t>) const override {}
    [[nodiscard]] double answer_nanoseconds(const ScalarQuestion&, const SlotEstimate&, Slot) const override {
        return 0;
    }
    [[nodiscard]] std::unique_ptr<SlotTest> test(const ScalarQuestion&, Slot) const override {
        class Test final : public SlotTest {
        public:
            explicit Test(Holds of) : holds_(of) {}
            void keep(bool, std::span<std::uint64_t>) override {}
            [[nodiscard]] bool holds(Slot slot, bool) const override { return holds_(slot); }

        private:
            Holds holds_;
        };
        return std::make_unique<Test>(holds_);
    }
    [[nodiscard]] kith::detail::Scalar value(Slot, bool) const override { return {}; }
    [[nodiscard]] double test_nanoseconds(double, Slot) const noexcept override { return 1e9; }

private:
    Holds holds_;
};

const Expression equal{.op = Op::equal, .field = 1, .values = {std::int64_t{1}}};
const SlotCondition condition{.field = 1, .question = ScalarQuestion::present(), .sources = {{&equal, true}}};

}  // namespace

TEST_CASE("A check that fails allows nothing, and the search learns of it") {
    const Column damaged([](Slot slot) {
        if (slot == 77) kith::raise(kith::Errc::corrupt, "the value of slot 77 is not there");
        return true;
    });
    const std::array<const ScalarField*, 2> fields{nullptr, &damaged};
    const FilterCheck check{SlotFilter(condition, fields, 10'000)};  // whose sample does not meet slot 77
    CHECK(check.allows(76));
    CHECK_NOTHROW(check.raise_failure());
    CHECK_FALSE(check.allows(77));
    CHECK(check.allows(78));
    CHECK_THROWS_AS(check.raise_failure(), kith::Error);
}

TEST_CASE("A sample is not deceived by values that come round with its step") {
    const Column two_thirds([](Slot slot) { return slot % 3 != 0; });
    const std::array<const ScalarField*, 2> fields{nullptr, &two_thirds};
    for (const Slot count : {Slot{39'936}, Slot{40'000}, Slot{76'800}, Slot{300'000}}) {
        const SlotFilter filter(condition, fields, count);
        CAPTURE(count, filter.estimate().expected);
        CHECK(filter.estimate().expected > 0.4 * count);
        CHECK(filter.estimate().expected < 0.9 * count);
    }
}
