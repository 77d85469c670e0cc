// tests/collection/group_by_kinds_test.cpp — groups are the same whatever index finds them.
#include "kith/index/ivf.hpp"
#include "songs.hpp"
#include "support/catch.hpp"

using namespace kith_test;

namespace {

using Codes = kith::Hnsw<kith::HnswParams{}, kith::Sq8>;
using Lists = kith::Ivf<kith::IvfParams{.lists = 16}, kith::IvfRaw>;  // few enough that there are any
using CodedLists = kith::Ivf<kith::IvfParams{.lists = 16}, kith::IvfPq>;
using CodedFlat = kith::Coded<kith::Flat, kith::Sq4>;

}  // namespace

TEMPLATE_TEST_CASE("Groups are whole for every kind of index, with an index of their field and without", "", kith::Flat,
                   kith::Hnsw<>, Codes, Lists, CodedLists, CodedFlat) {
    const Shelf<TestType> shelf;
    check_field<&Song::artist>(shelf, 10, 3);
    check_field<&Song::artist>(shelf, 3, 20);
    check_field<&Song::genre>(shelf, 10, 3);
    check_field<&Song::genre>(shelf, 1000, 1);
    check_field<&Song::label>(shelf, 14, 2);
    check_field<&Song::label>(shelf, 14, 2, field<&Song::year> >= 5);
    check_field<&Song::genre>(shelf, 50, 3, field<&Song::label> == "label 3");
    check_field<&Song::artist>(shelf, 10, 5, !(field<&Song::artist> == "everybody"));
    check_field<&Song::label>(shelf, 14, 2, kith::parse_condition<Song>("label IS NULL"));
}
