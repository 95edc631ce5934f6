//! The values that something computes when it runs, for whoever looks at each of them or changes it.

use super::Prop;

/// What holds values that are computed when it runs.
pub trait EachProp {
    /// Calls `f` with each of them, in the order of the keys; not with those inside another one.
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop));

    /// The same, to be changed.
    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop));
}

impl EachProp for Prop {
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop)) {
        f(self);
    }

    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop)) {
        f(self);
    }
}

impl<T: EachProp> EachProp for Option<T> {
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop)) {
        self.iter().for_each(|inner| inner.each_prop(f));
    }

    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop)) {
        self.iter_mut().for_each(|inner| inner.each_prop_mut(f));
    }
}

impl<T: EachProp> EachProp for Vec<T> {
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop)) {
        self.iter().for_each(|inner| inner.each_prop(f));
    }

    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop)) {
        self.iter_mut().for_each(|inner| inner.each_prop_mut(f));
    }
}

impl<T: EachProp> EachProp for Box<T> {
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop)) {
        self.as_ref().each_prop(f);
    }

    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop)) {
        self.as_mut().each_prop_mut(f);
    }
}

/// Implements [`EachProp`] for structs: before the `;` stand the fields that hold such values, behind it the others. A new
/// field does not compile before it is in one of the lists.
macro_rules! each_prop {
    ($($name:ident { $($field:ident),* $(; $($plain:ident),*)? })*) => {$(
        impl $crate::expr::EachProp for $name {
            fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p $crate::expr::Prop)) {
                let _ = &f;
                let $name { $($field,)* $($($plain: _,)*)? } = self;
                $($field.each_prop(f);)*
            }

            fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut $crate::expr::Prop)) {
                let _ = &f;
                let $name { $($field,)* $($($plain: _,)*)? } = self;
                $($field.each_prop_mut(f);)*
            }
        }
    )*};
}

/// Implements [`EachProp`] for an enum, whose variants hold such values in one field or in several with names.
macro_rules! each_prop_of_variants {
    ($name:ident { $($(@$one:ident)? $($many:ident { $($field:ident),* $(; $($plain:ident),*)? })?,)* } else { $($none:ident),* }) => {
        impl $crate::expr::EachProp for $name {
            fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p $crate::expr::Prop)) {
                match self {
                    $($($name::$one(inner) => inner.each_prop(f),)?
                    $($name::$many { $($field,)* $($($plain: _,)*)? } => { $($field.each_prop(f);)* })?)*
                    $($name::$none { .. } => {})*
                }
            }

            fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut $crate::expr::Prop)) {
                match self {
                    $($($name::$one(inner) => inner.each_prop_mut(f),)?
                    $($name::$many { $($field,)* $($($plain: _,)*)? } => { $($field.each_prop_mut(f);)* })?)*
                    $($name::$none { .. } => {})*
                }
            }
        }
    };
}

pub(crate) use {each_prop, each_prop_of_variants};
