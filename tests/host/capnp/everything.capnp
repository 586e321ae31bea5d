# SPDX-License-Identifier: Apache-2.0
# Every construct that capnpc-nexus supports, and pairs of structs that are versions of one another.
@0xdd3356e2eafd5cc1;

const answer :UInt16 = 42;

enum Color {
  red @0;
  green @1;
  deepBlue @2;
}

struct Everything {
  nothing @0 :Void;
  flag @1 :Bool;
  flagSet @2 :Bool = true;
  int8 @3 :Int8;
  int8Set @4 :Int8 = -5;
  int16 @5 :Int16;
  int16Set @6 :Int16 = -500;
  int32 @7 :Int32;
  int32Set @8 :Int32 = -50000;
  int64 @9 :Int64;
  int64Set @10 :Int64 = -5000000000;
  uint8 @11 :UInt8;
  uint8Set @12 :UInt8 = 200;
  uint16 @13 :UInt16;
  uint16Set @14 :UInt16 = 50000;
  uint32 @15 :UInt32;
  uint32Set @16 :UInt32 = 4000000000;
  uint64 @17 :UInt64;
  uint64Set @18 :UInt64 = 0xfedcba9876543210;
  float32 @19 :Float32;
  float32Set @20 :Float32 = 1.5;
  float64 @21 :Float64;
  float64Set @22 :Float64 = -2.25;
  color @23 :Color;
  colorSet @24 :Color = deepBlue;
  text @25 :Text;
  data @26 :Data;
  inner @27 :Inner;
  next @28 :Everything;
  bools @29 :List(Bool);
  int8s @30 :List(Int8);
  uint16s @31 :List(UInt16);
  uint32s @32 :List(UInt32);
  uint64s @33 :List(UInt64);
  colors @34 :List(Color);
  texts @35 :List(Text);
  datas @36 :List(Data);
  inners @37 :List(Inner);
  box :group {
    width @38 :UInt32;
    label @39 :Text;
    deep :group {
      height @40 :UInt16 = 7;
    }
  }
  union {
    unset @41 :Void;
    number @42 :UInt32 = 9;
    title @43 :Text;
    pair :group {
      left @44 :UInt64;
      right @45 :Text;
      union {
        plain @46 :Void;
        marked @47 :UInt8;
      }
    }
    blob @48 :Inner;
    items @49 :List(UInt16);
  }
  named :union {
    one @50 :UInt64;
    two @51 :Text;
  }
}

struct Inner {
  number @0 :UInt32;
  name @1 :Text;
}

struct Older {
  number @0 :UInt32;
  text @1 :Text;
  items @2 :List(OlderItem);
  values @3 :List(UInt32);
  names @4 :List(Text);
}

struct OlderItem {
  number @0 :UInt16;
}

struct Newer {
  number @0 :UInt32;
  text @1 :Text;
  items @2 :List(NewerItem);
  values @3 :List(NewerValue);
  names @4 :List(NewerName);
  more @5 :UInt64 = 77;
  extra @6 :Text;
}

struct NewerItem {
  number @0 :UInt16;
  more @1 :UInt64 = 5;
  name @2 :Text;
}

struct NewerValue {
  number @0 :UInt32;
  name @1 :Text;
}

struct NewerName {
  name @0 :Text;
  number @1 :UInt32;
}
