// tests/schema/elements_test.cpp — vectors of every element in a schema: described, stored in rows, looked at.
#include "metrics.hpp"
#include "support/catch.hpp"

#include "kith/schema.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace {

struct Bitwise {
    static constexpr std::string_view name = "hamming";
};

struct Sample {
    std::int64_t id = 0;
    std::array<float, 3> floats{};
    std::array<kith::Half, 5> halves{};
    std::array<kith::Bfloat16, 2> bfloats{};
    std::array<std::int8_t, 4> bytes{};
    std::array<std::uint8_t, 6> pixels{};
    std::array<kith::Bits8, 16> code{};
    std::array<kith::Half, 2> loose_halves{};
    std::array<kith::Bfloat16, 1> loose_bfloats{};
    std::array<std::int8_t, 3> loose_bytes{};
    std::array<std::uint8_t, 2> loose_pixels{};
    std::array<kith::Bits8, 2> loose_code{};
};

using Samples =
    kith::Schema<Sample, kith::Key<&Sample::id>, kith::VectorField<&Sample::floats, kith_test::Euclid>,
                 kith::VectorField<&Sample::halves, kith_test::Angle>,
                 kith::VectorField<&Sample::bfloats, kith_test::Euclid>,
                 kith::VectorField<&Sample::bytes, kith_test::Angle>,
                 kith::VectorField<&Sample::pixels, kith_test::Euclid>, kith::VectorField<&Sample::code, Bitwise>>;

Sample good() {
    Sample sample;
    sample.id = 7;
    sample.floats = {1, 2, 3};
    sample.halves.fill(kith::Half(0.5F));
    sample.bytes = {-128, 0, 1, 127};
    sample.loose_halves = {kith::Half(-0.1F), kith::Half::from_bits(1)};
    sample.loose_bfloats = {kith::Bfloat16(3.0F)};
    sample.loose_bytes = {-128, -1, 127};
    sample.loose_pixels = {0, 255};
    sample.loose_code = {kith::Bits8{0xa5}, kith::Bits8{1}};
    return sample;
}

std::string problem_of(const Sample& sample) {
    const auto problem = Samples::validate(sample);
    return problem.has_value() ? problem->text : "";
}

}  // namespace

TEST_CASE("A descriptor says what a vector is made of, and of floats what it always said") {
    CHECK(Samples::descriptor() ==
          "kith schema 1\n"
          "id int64 key\n"
          "floats vector 3 metric=l2 index=default\n"
          "halves vector 5 of f16 metric=cosine index=default\n"
          "bfloats vector 2 of bf16 metric=l2 index=default\n"
          "bytes vector 4 of i8 metric=cosine index=default\n"
          "pixels vector 6 of u8 metric=l2 index=default\n"
          "code vector 128 of bits metric=hamming index=default\n"
          "loose_halves vector 2 of f16\n"
          "loose_bfloats vector 1 of bf16\n"
          "loose_bytes vector 3 of i8\n"
          "loose_pixels vector 2 of u8\n"
          "loose_code vector 16 of bits\n");
}

TEST_CASE("Vectors no VectorField names come back from a row bit for bit, and no shorter row is one") {
    const Sample sample = good();
    std::string row;
    Samples::encode_row(sample, row);
    Sample back;
    REQUIRE(Samples::decode_row(row, back));
    CHECK(back.id == sample.id);
    for (std::size_t i = 0; i < 2; ++i) CHECK(back.loose_halves[i].bits() == sample.loose_halves[i].bits());
    CHECK(back.loose_bfloats[0].bits() == sample.loose_bfloats[0].bits());
    CHECK(back.loose_bytes == sample.loose_bytes);
    CHECK(back.loose_pixels == sample.loose_pixels);
    CHECK(back.loose_code == sample.loose_code);
    for (std::size_t size = 0; size < row.size(); ++size) {
        CHECK_FALSE(Samples::decode_row(std::string_view(row).substr(0, size), back));
    }
    CHECK(row.ends_with(std::string_view("\x80\xff\x7f\x00\xff\xa5\x01", 7)));
}

TEST_CASE("Each vector is visited as what it is made of") {
    Sample sample = good();
    std::size_t bytes = 0;
    Samples::for_each_vector(sample, [&](std::size_t, auto elements) { bytes += elements.size_bytes(); });
    CHECK(bytes == 12 + 10 + 4 + 4 + 6 + 16);
    STATIC_REQUIRE(std::is_same_v<Samples::VectorAttribute<1>::Element, kith::Half>);
    STATIC_REQUIRE(Samples::VectorAttribute<5>::dim == 128);
}

TEST_CASE("Elements that mean nothing to a metric are refused in a sentence") {
    CHECK(problem_of(good()).empty());
    Sample sample = good();
    sample.halves[3] = kith::Half(std::numeric_limits<float>::infinity());
    CHECK(problem_of(sample) == "field 'halves': element 3 is infinite, expected a finite number");
    sample = good();
    sample.bfloats[1] = kith::Bfloat16(std::numeric_limits<float>::quiet_NaN());
    CHECK(problem_of(sample) == "field 'bfloats': element 1 is NaN, expected a finite number");
    sample = good();
    sample.bytes.fill(0);
    CHECK(problem_of(sample).find("field 'bytes': all elements are zero") == 0);
    sample = good();
    sample.pixels.fill(0);  // the squared distance does not mind
    CHECK(problem_of(sample).empty());
}
