// tests/query/scalar_test.cpp — values of different types compare by what they are, and numbers come out exact or not.
#include "support/catch.hpp"

#include "kith/query/scalar.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

namespace {

using kith::TermOp;
using kith::detail::calculate;
using kith::detail::compare;
using kith::detail::Order;
using kith::detail::Scalar;
using kith::detail::ScalarKind;

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

Scalar whole(std::int64_t value) {
    return Scalar::of_signed(value);
}

TEST_CASE("Signed and unsigned integers compare by value over all of their ranges") {
    CHECK(compare(whole(-1), Scalar::of_unsigned(most)) == Order::less);
    CHECK(compare(Scalar::of_unsigned(0), whole(least)) == Order::greater);
    CHECK(compare(whole(-3), whole(-2)) == Order::less);
    CHECK(compare(Scalar::of_unsigned(7), whole(7)) == Order::equal);
}

TEST_CASE("An integer beside a real is not rounded") {
    const std::int64_t large = (std::int64_t{1} << 53) + 1;
    CHECK(compare(whole(large), Scalar::of_real(9007199254740992.0)) == Order::greater);
    CHECK(compare(whole(-large), Scalar::of_real(-9007199254740992.0)) == Order::less);
    CHECK(compare(Scalar::of_unsigned(most), Scalar::of_real(18446744073709551616.0)) == Order::less);
    CHECK(compare(whole(-1), Scalar::of_real(-1.5)) == Order::greater);
    CHECK(compare(Scalar::of_real(0.5), whole(0)) == Order::greater);
    CHECK(compare(whole(0), Scalar::of_real(-0.0)) == Order::equal);
    CHECK(compare(whole(least), Scalar::of_real(-std::numeric_limits<double>::infinity())) == Order::greater);
}

TEST_CASE("NaN stands in no order") {
    const Scalar nan = Scalar::of_real(std::numeric_limits<double>::quiet_NaN());
    CHECK(compare(nan, whole(1)) == Order::unordered);
    CHECK(compare(nan, nan) == Order::unordered);
    CHECK(kith::detail::holds(kith::Op::not_equal, Order::unordered));
    CHECK_FALSE(kith::detail::holds(kith::Op::less_equal, Order::unordered));
}

TEST_CASE("Calculations of integers are exact up to the ends of int64 and uint64, and null beyond") {
    CHECK(compare(calculate(TermOp::subtract, whole(least + 1), whole(1)), whole(least)) == Order::equal);
    CHECK(calculate(TermOp::subtract, whole(least), whole(1)).kind == ScalarKind::null);
    CHECK(compare(calculate(TermOp::add, Scalar::of_unsigned(most), whole(-1)), Scalar::of_unsigned(most - 1)) ==
          Order::equal);
    CHECK(calculate(TermOp::add, Scalar::of_unsigned(most), whole(1)).kind == ScalarKind::null);
    CHECK(calculate(TermOp::multiply, whole(std::int64_t{1} << 32), whole(std::int64_t{1} << 32)).kind ==
          ScalarKind::null);
    CHECK(kith::detail::negated(Scalar::of_unsigned(most)).kind == ScalarKind::null);
}

TEST_CASE("Division of integers drops the fraction, and by zero it is null") {
    CHECK(compare(calculate(TermOp::divide, whole(-7), whole(2)), whole(-3)) == Order::equal);
    CHECK(compare(calculate(TermOp::remainder, whole(-7), whole(2)), whole(-1)) == Order::equal);
    CHECK(calculate(TermOp::divide, whole(1), whole(0)).kind == ScalarKind::null);
    CHECK(calculate(TermOp::remainder, whole(1), whole(0)).kind == ScalarKind::null);
}

TEST_CASE("Division of reals by zero is infinite or NaN") {
    CHECK(calculate(TermOp::divide, Scalar::of_real(1), whole(0)).real == std::numeric_limits<double>::infinity());
    CHECK(calculate(TermOp::divide, Scalar::of_real(1), Scalar::of_real(-0.0)).real ==
          -std::numeric_limits<double>::infinity());
    CHECK(std::isnan(calculate(TermOp::divide, Scalar::of_real(0), whole(0)).real));
}

}  // namespace
