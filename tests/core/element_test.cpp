// tests/core/element_test.cpp — floats of two bytes against arithmetic in double, and how floats become elements.
#include "kith/core/element.hpp"

#include "kith/core/half.hpp"
#include "kith/core/random.hpp"
#include "support/catch.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

using kith::Bfloat16;
using kith::Bits8;
using kith::Half;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// What the bits of a float with `fraction` bits of fraction and `exponent` bits of exponent mean, from the definition.
double meaning(unsigned bits, int exponent, int fraction) {
    const double sign = (bits >> (exponent + fraction)) != 0 ? -1 : 1;
    const int power = static_cast<int>((bits >> fraction) & ((1U << exponent) - 1));
    const double part = static_cast<double>(bits & ((1U << fraction) - 1)) / (1 << fraction);
    const int bias = (1 << (exponent - 1)) - 1;
    return sign * (power == 0 ? std::ldexp(part, 1 - bias) : std::ldexp(1 + part, power - bias));
}

/// The float between two neighbours, which both are as far from.
float middle(float a, float b) {
    return static_cast<float>((static_cast<double>(a) + static_cast<double>(b)) / 2);
}

/// Every finite number there is comes back, and what lies between two goes to the nearer, from the middle to the even.
template <class T>
void check_rounding(unsigned largest) {
    std::size_t wrong = 0;
    for (unsigned bits = 0; bits <= largest; ++bits) {
        const float value = T::from_bits(static_cast<std::uint16_t>(bits));
        wrong += T(value).bits() != bits;
        wrong += T(-value).bits() != (bits | 0x8000U);
        if (bits == largest) continue;
        const float next = T::from_bits(static_cast<std::uint16_t>(bits + 1));
        const float half_way = middle(value, next);
        const unsigned even = bits % 2 == 0 ? bits : bits + 1;
        wrong += T(half_way).bits() != even;
        wrong += T(-half_way).bits() != (even | 0x8000U);
        wrong += T(std::nextafter(half_way, -infinity)).bits() != bits;
        wrong += T(std::nextafter(half_way, infinity)).bits() != bits + 1;
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("Every half and bfloat16 is worth what its bits say") {
    std::size_t wrong = 0;
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
        const auto stored = static_cast<std::uint16_t>(bits);
        const float half = Half::from_bits(stored), bfloat = Bfloat16::from_bits(stored);
        if ((bits & 0x7fff) < 0x7c00) {
            wrong += static_cast<double>(half) != meaning(bits, 5, 10);
            wrong += std::signbit(half) != (bits >= 0x8000);
        } else {
            wrong += (bits & 0x3ff) == 0 ? std::abs(half) != infinity : !std::isnan(half);
            wrong += std::signbit(half) != (bits >= 0x8000);
        }
        if ((bits & 0x7fff) < 0x7f80) {
            wrong += static_cast<double>(bfloat) != meaning(bits, 8, 7);
        } else {
            wrong += (bits & 0x7f) == 0 ? std::abs(bfloat) != infinity : !std::isnan(bfloat);
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("Floats round to the nearest half or bfloat16, ties to even") {
    check_rounding<Half>(0x7bff);
    check_rounding<Bfloat16>(0x7f7f);
}

TEST_CASE("What is past the largest becomes infinite, and what is no number stays none") {
    CHECK(Half(65519.99F).bits() == 0x7bff);
    CHECK(Half(65520.0F).bits() == 0x7c00);
    CHECK(Half(-1e30F).bits() == 0xfc00);
    CHECK(Half(infinity).bits() == 0x7c00);
    CHECK(Half(0x1p-25F).bits() == 0);
    CHECK(Half(std::nextafter(0x1p-25F, 1.0F)).bits() == 1);
    CHECK(Half(-0.0F).bits() == 0x8000);
    CHECK(Bfloat16(std::numeric_limits<float>::max()).bits() == 0x7f80);
    CHECK(Bfloat16(-infinity).bits() == 0xff80);
    for (const std::uint32_t nan : {0x7fc00000U, 0x7f800001U, 0xffffffffU, 0xff800001U}) {
        const float value = std::bit_cast<float>(nan);
        CHECK(std::isnan(static_cast<float>(Half(value))));
        CHECK(std::isnan(static_cast<float>(Bfloat16(value))));
        CHECK(std::signbit(static_cast<float>(Half(value))) == std::signbit(value));
    }
}

TEST_CASE("Conversions happen while compiling too") {
    STATIC_REQUIRE(Half(1.0F).bits() == 0x3c00);
    STATIC_REQUIRE(float{Half::from_bits(0x0001)} == 0x1p-24F);
    STATIC_REQUIRE(Bfloat16(3.0F).bits() == 0x4040);
    STATIC_REQUIRE(kith::detail::nearest_element<std::int8_t>(-200) == -128);
    STATIC_REQUIRE(std::is_trivially_copyable_v<Half>);
    STATIC_REQUIRE(sizeof(std::array<Bfloat16, 3>) == 6);
}

TEST_CASE("Elements are rounded and kept within their range") {
    const std::vector<float> floats = {0.5F, 1.5F,  2.5F,    -0.5F,    -1.5F,  126.5F, 127.4F, 127.6F,
                                       1e9F, -1e9F, -128.4F, infinity, 254.5F, 255.4F, 300.0F, 0.49999997F};
    std::vector<std::int8_t> signed_bytes(floats.size());
    std::vector<std::uint8_t> bytes(floats.size());
    kith::encode_elements(floats.data(), floats.size(), signed_bytes.data());
    kith::encode_elements(floats.data(), floats.size(), bytes.data());
    CHECK(signed_bytes ==
          std::vector<std::int8_t>{0, 2, 2, 0, -2, 126, 127, 127, 127, -128, -128, 127, 127, 127, 127, 0});
    CHECK(bytes == std::vector<std::uint8_t>{0, 2, 2, 0, 0, 126, 127, 128, 255, 0, 0, 255, 254, 255, 255, 0});
    CHECK(kith::detail::nearest_element<std::int8_t>(std::nanf("")) == 0);

    CHECK(kith::detail::nearest_element<Half>(1e6F).bits() == 0x7bff);
    CHECK(kith::detail::nearest_element<Half>(-65519.0F).bits() == 0xfbff);
    CHECK(kith::detail::nearest_element<Bfloat16>(-std::numeric_limits<float>::max()).bits() == 0xff7f);
    CHECK(kith::detail::nearest_element<float>(1e30F) == 1e30F);
}

TEST_CASE("Bits are those floats above zero, the first the lowest, and zeros after the last") {
    std::vector<float> floats(13, -1.0F);
    floats[0] = floats[9] = floats[12] = 0.25F;
    floats[3] = 0;
    std::array<Bits8, 2> bits{Bits8{255}, Bits8{255}};
    REQUIRE(kith::elements_for<Bits8>(floats.size()) == bits.size());
    kith::encode_elements(floats.data(), floats.size(), bits.data());
    CHECK(bits == std::array<Bits8, 2>{Bits8{0b0000'0001}, Bits8{0b0001'0010}});
    std::vector<float> back(floats.size(), 7);
    kith::decode_elements(bits.data(), back.size(), back.data());
    CHECK(back == std::vector<float>{1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1});
}

TEMPLATE_TEST_CASE("Elements that were decoded are encoded as they were", "", float, Half, Bfloat16, std::int8_t,
                   std::uint8_t, Bits8) {
    kith::SplitMix64 random(4);
    for (const std::size_t dim : {1U, 8U, 77U}) {
        std::vector<float> floats(dim), again(dim), exact(dim);
        for (float& value : floats) value = static_cast<float>(random.uniform() * 300 - 130);
        std::vector<TestType> elements(kith::elements_for<TestType>(dim)), back(elements.size());
        kith::encode_elements(floats.data(), dim, elements.data());
        kith::decode_elements(elements.data(), dim, exact.data());
        kith::encode_elements(exact.data(), dim, back.data());
        kith::decode_elements(back.data(), dim, again.data());
        CHECK(again == exact);
    }
}

TEST_CASE("The names of elements are those on disk") {
    CHECK(kith::element_name<float> == "f32");
    CHECK(kith::element_name<Half> == "f16");
    CHECK(kith::element_name<Bfloat16> == "bf16");
    CHECK(kith::element_name<std::int8_t> == "i8");
    CHECK(kith::element_name<std::uint8_t> == "u8");
    CHECK(kith::element_name<Bits8> == "bits");
}
