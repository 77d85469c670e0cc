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

class Damaged final : public ScalarField {
public:
    [[nodiscard]] bool indexed() const noexcept override { return false; }
    [[nodiscard]] bool has_column() const noexcept override { return true; }
    [[nodiscard]] SlotEstimate estimate(const ScalarQuestion&, Slot) const override { return {}; }
    void answer(const ScalarQuestion&, Slot, std::span<std::uint64_t>) const override {}
    [[nodiscard]] double answer_nanoseconds(const ScalarQuestion&, const SlotEstimate&, Slot) const override {
        return 0;
    }
    [[nodiscard]] std::unique_ptr<SlotTest> test(const ScalarQuestion&, Slot) const override {
        class Test final : public SlotTest {
            void keep(bool, std::span<std::uint64_t>) override {}
            [[nodiscard]] bool holds(Slot slot, bool) const override {
                if (slot == 77) kith::raise(kith::Errc::corrupt, "the value of slot 77 is not there");
                return true;
            }
        };
        return std::make_unique<Test>();
    }
    [[nodiscard]] kith::detail::Scalar value(Slot, bool) const override { return {}; }
    [[nodiscard]] double test_nanoseconds(double, Slot) const noexcept override { return 1e9; }
};

}  // namespace

TEST_CASE("A check that fails allows nothing, and the search learns of it") {
    const Damaged damaged;
    const std::array<const ScalarField*, 2> fields{nullptr, &damaged};
    const Expression equal{.op = Op::equal, .field = 1, .values = {std::int64_t{1}}};
    const SlotCondition condition{.field = 1, .question = ScalarQuestion::present(), .sources = {{&equal, true}}};
    const FilterCheck check{SlotFilter(condition, fields, 10'000)};  // whose sample does not meet slot 77
    CHECK(check.allows(76));
    CHECK_NOTHROW(check.raise_failure());
    CHECK_FALSE(check.allows(77));
    CHECK(check.allows(78));
    CHECK_THROWS_AS(check.raise_failure(), kith::Error);
}
