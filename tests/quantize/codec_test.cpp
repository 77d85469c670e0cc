// tests/quantize/codec_test.cpp — the scalar quantizers, under every metric, against the laws of codecs.
#include "kith/quantize/codec.hpp"

#include "kith/distance.hpp"
#include "kith/quantize.hpp"
#include "laws/codec_laws.hpp"
#include "support/catch.hpp"

using kith::Bf16;
using kith::Cosine;
using kith::Fp16;
using kith::InnerProduct;
using kith::L2;
using kith::Rotated;
using kith::Sq4;
using kith::Sq8;
using kith::SqUniform;

namespace {

/// The share of what is left about the mean that codes of Q may lose, in vectors of the test.
template <class Q>
constexpr double loss = 0;
template <>
constexpr double loss<Fp16> = 0.001;
template <>
constexpr double loss<Bf16> = 0.006;
template <>
constexpr double loss<Sq8> = 0.02;
template <>
constexpr double loss<Sq4> = 0.3;
template <>
constexpr double loss<SqUniform<8>> = 0.03;
template <>
constexpr double loss<SqUniform<4>> = 0.35;

template <class Q>
void check_every_metric() {
    kith_test::check_codec_laws<Q, L2>(loss<Q>);
    kith_test::check_codec_laws<Q, InnerProduct>(loss<Q>);
    kith_test::check_codec_laws<Q, Cosine>(loss<Q>);
}

}  // namespace

TEST_CASE("floats of two bytes keep the laws of codecs") {
    kith_test::check_codec_laws<Fp16, L2>(loss<Fp16>);
    kith_test::check_codec_laws<Fp16, Cosine>(loss<Fp16>);
    kith_test::check_codec_laws<Bf16, InnerProduct>(loss<Bf16>);
    kith_test::check_codec_laws<Bf16, Cosine>(loss<Bf16>);
}

TEST_CASE("uniform codes keep the laws of codecs") {
    kith_test::check_codec_laws<SqUniform<8>, L2>(loss<SqUniform<8>>);
    check_every_metric<SqUniform<4>>();
}

TEST_CASE("rotated codes keep the laws of codecs") {
    CHECK(Rotated<SqUniform<4>>::name == "rotated_uniform4");
    kith_test::check_codec_laws<Rotated<SqUniform<4>>, Cosine>(loss<SqUniform<4>>);
    kith_test::check_codec_laws<Rotated<Sq8>, InnerProduct>(loss<Sq8>);
}

TEST_CASE("codes with a scale for each vector keep the laws of codecs") {
    kith_test::check_codec_laws<Sq8, L2>(loss<Sq8>);
    kith_test::check_codec_laws<Sq8, Cosine>(loss<Sq8>);
    kith_test::check_codec_laws<Sq4, InnerProduct>(loss<Sq4>);
    kith_test::check_codec_laws<Sq4, Cosine>(loss<Sq4>);
}
